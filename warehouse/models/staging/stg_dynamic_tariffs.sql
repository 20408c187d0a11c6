with current_prices as (
    {{ current_rows(source('lake', 'dynamic_tariffs'), key='charging_location_id, start_time') }}
)

select
    charging_location_id,
    user_id,
    start_time as started_at,
    end_time as ended_at,
    price as price_per_kwh,
    currency,
    data_type,
    _deleted as is_deleted,
    _synced_at as synced_at
from current_prices
