with current_tariffs as (
    {{ current_rows(source('lake', 'session_tariffs'), key='session_id, start_time, tariff_type') }}
)

select
    {{ session_tariff_columns() }}
from current_tariffs
