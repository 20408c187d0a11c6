with current_financials as (
    {{ current_rows(source('lake', 'financials'), key='user_id, session_id') }}
)

select
    {{ financials_columns() }}
from current_financials
