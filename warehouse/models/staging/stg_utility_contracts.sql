with current_utility_contracts as (
    {{ current_rows(source('lake', 'utility_contracts'), key='charging_location_id') }}
)

select
    charging_location_id,
    user_id,
    name as supplier_name,
    energy_supplier_id,
    contract_number,
    meter_code,
    agreement_ids,
    status,
    _deleted as is_deleted,
    _synced_at as synced_at
from current_utility_contracts
