select
    charging_location_id,
    contract_number,
    meter_code
from {{ ref('stg_utility_contracts') }}
