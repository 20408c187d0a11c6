with current_charge_settings as (
    {{ current_rows(source('lake', 'charge_settings'), key='vehicle_id') }}
)

select
    vehicle_id,
    user_id,
    is_smart_charging_enabled,
    enable_smart_charging_at as smart_charging_resumes_at,
    departure_times_monday as departure_time_monday,
    departure_times_tuesday as departure_time_tuesday,
    departure_times_wednesday as departure_time_wednesday,
    departure_times_thursday as departure_time_thursday,
    departure_times_friday as departure_time_friday,
    departure_times_saturday as departure_time_saturday,
    departure_times_sunday as departure_time_sunday,
    time_zone,
    direct_charging_battery_level as direct_charging_battery_level_percent,
    desired_battery_level as desired_battery_level_percent,
    default_start_battery_level as default_start_battery_level_percent,
    is_solar_charging_enabled,
    is_bidirectional_charging_enabled,
    _deleted as is_deleted,
    _synced_at as synced_at
from current_charge_settings
