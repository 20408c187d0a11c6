{# The API gives no zone for a location: the postal code decides where a country has islands in another one. #}
select
    locations.charging_location_id,
    locations.user_id,
    locations.city,
    locations.region,
    locations.country,
    locations.area,
    coalesce(by_postal_code.time_zone, by_country.time_zone, '{{ env_var("CHARGELAKE_TIME_ZONE") }}') as time_zone,
    locations.created_at,
    locations.updated_at,
    locations.is_deleted,
    locations.synced_at
from {{ ref('stg_charging_locations') }} as locations
left join {{ ref('time_zones') }} as by_country
    on locations.country = by_country.country and by_country.postal_code_prefix is null
left join {{ ref('time_zones') }} as by_postal_code
    on
        locations.country = by_postal_code.country
        and locations.postal_code like by_postal_code.postal_code_prefix || '%'
