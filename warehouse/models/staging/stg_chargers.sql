with current_chargers as (
    {{ current_rows(source('lake', 'chargers')) }}
)

select
    id as charger_id,
    user_id,
    charging_location_id,
    detail_brand as brand,
    detail_model as model,
    external_id,
    _deleted as is_deleted,
    _synced_at as synced_at
from current_chargers
