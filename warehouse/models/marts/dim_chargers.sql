select
    charger_id,
    user_id,
    charging_location_id,
    brand,
    model,
    external_id,
    is_deleted,
    synced_at
from {{ ref('stg_chargers') }}
