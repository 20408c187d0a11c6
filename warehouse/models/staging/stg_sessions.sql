with current_sessions as (
    {{ current_rows(source('lake', 'sessions')) }}
)

select
    {{ session_columns() }}
from current_sessions
