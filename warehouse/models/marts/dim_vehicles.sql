select
    vehicle_id,
    user_id,
    brand,
    model,
    version,
    is_connected,
    is_connectable,
    capabilities,
    created_at,
    is_deleted,
    synced_at
from {{ ref('stg_vehicles') }}
