with current_vehicles as (
    {{ current_rows(source('lake', 'vehicles')) }}
)

select
    id as vehicle_id,
    user_id,
    details_brand as brand,
    details_model as model,
    details_version as version,
    is_connected,
    is_connectable,
    capabilities,
    created_at,
    _deleted as is_deleted,
    _synced_at as synced_at
from current_vehicles
