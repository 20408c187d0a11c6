with current_tariffs as (
    {{ current_rows(source('lake', 'location_tariffs'), key='charging_location_id') }}
)

select
    charging_location_id,
    user_id,
    off_peak_charging_only as is_off_peak_charging_only,
    tariffs,
    tariff_intervals,
    holiday_tariff_intervals,
    _deleted as is_deleted,
    _synced_at as synced_at
from current_tariffs
