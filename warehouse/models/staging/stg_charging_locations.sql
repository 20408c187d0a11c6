with current_locations as (
    {{ current_rows(source('lake', 'charging_locations')) }}
)

select
    id as charging_location_id,
    user_id,
    coordinates_latitude as latitude,
    coordinates_longitude as longitude,
    address_street as street,
    address_house_number as house_number,
    address_postal_code as postal_code,
    address_city as city,
    address_region as region,
    upper(trim(address_country)) as country,
    address_area as area,
    created_at,
    updated_at,
    _deleted as is_deleted,
    _synced_at as synced_at
from current_locations
