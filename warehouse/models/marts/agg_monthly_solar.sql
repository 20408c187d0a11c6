with summed as (
    select
        charging_location_id,
        local_month,
        count(*) as days,
        {{ stable_sum('covered_hours') }} as covered_hours,
        {{ stable_sum('energy_kwh') }} as energy_kwh,
        {{ stable_sum('charged_kwh') }} as charged_kwh,
        {{ stable_sum('estimated_solar_kwh') }} as estimated_solar_kwh,
        max(case when is_provisional then 1 else 0 end) as provisional
    from {{ ref('agg_daily_solar') }}
    group by charging_location_id, local_month
)

select
    charging_location_id,
    local_month,
    cast(days as bigint) as days,
    cast(covered_hours as double) as covered_hours,
    cast(energy_kwh as double) as energy_kwh,
    cast(charged_kwh as double) as charged_kwh,
    cast(estimated_solar_kwh as double) as estimated_solar_kwh,
    case when charged_kwh > 0 then estimated_solar_kwh / charged_kwh end as estimated_solar_share,
    provisional = 1 as is_provisional
from summed
