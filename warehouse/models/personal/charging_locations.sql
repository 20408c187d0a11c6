select
    charging_location_id,
    street,
    house_number,
    latitude,
    longitude
from {{ ref('stg_charging_locations') }}
