select
    charging_location_id,
    street,
    house_number,
    postal_code,
    latitude,
    longitude
from {{ ref('stg_charging_locations') }}
