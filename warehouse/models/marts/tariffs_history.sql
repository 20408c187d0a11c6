with versions as (
    {{ known_versions(source('lake', 'location_tariffs'), key='charging_location_id') }}
)

select
    charging_location_id,
    user_id,
    off_peak_charging_only as is_off_peak_charging_only,
    tariffs,
    tariff_intervals,
    holiday_tariff_intervals,
    known_from,
    known_until
from versions
where not _deleted
