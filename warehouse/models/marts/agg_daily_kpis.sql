{# Currency is part of the grain: every session falls into exactly one row, and no sum crosses currencies. #}
with sessions as (
    select
        facts.local_date,
        locations.country,
        vehicles.brand as vehicle_brand,
        facts.currency,
        facts.user_id,
        coalesce(facts.is_managed, false) as is_managed,
        coalesce(facts.status = 'ForceEnded', false) as is_force_ended,
        facts.energy_kwh,
        facts.charge_costs,
        facts.savings,
        facts.flexible_hours,
        facts.off_peak_energy_share_estimate + facts.super_off_peak_energy_share_estimate as off_peak_share,
        facts.is_provisional
    from {{ ref('fct_sessions') }} as facts
    left join {{ ref('dim_charging_locations') }} as locations
        on facts.charging_location_id = locations.charging_location_id
    left join {{ ref('dim_vehicles') }} as vehicles
        on facts.vehicle_id = vehicles.vehicle_id
),

summed as (
    select
        local_date,
        country,
        vehicle_brand,
        currency,
        count(*) as sessions,
        count(distinct user_id) as active_users,
        {{ stable_sum('energy_kwh') }} as energy_kwh,
        sum(case when is_managed then 1 else 0 end) as managed_sessions,
        {{ stable_sum('case when is_managed then energy_kwh end') }} as managed_energy_kwh,
        sum(case when is_force_ended then 1 else 0 end) as force_ended_sessions,
        {{ stable_sum('flexible_hours') }} as flexible_hours,
        {{ stable_sum('case when off_peak_share is not null then energy_kwh end') }} as tariff_energy_kwh,
        {{ stable_sum('off_peak_share * energy_kwh') }} as off_peak_energy_kwh,
        {{ sum_of_money('charge_costs') }} as charge_costs,
        {{ sum_of_money('savings') }} as savings,
        sum(case when is_provisional then 1 else 0 end) as provisional_sessions
    from sessions
    group by local_date, country, vehicle_brand, currency
)

select
    local_date,
    country,
    vehicle_brand,
    currency,
    sessions,
    active_users,
    cast(energy_kwh as double) as energy_kwh,
    cast(managed_sessions as bigint) as managed_sessions,
    cast(managed_sessions as double) / sessions as managed_sessions_share,
    cast(coalesce(managed_energy_kwh, case when energy_kwh is not null then 0 end) as double) as managed_energy_kwh,
    case
        when energy_kwh > 0 then coalesce(managed_energy_kwh, 0) / energy_kwh
    end as managed_energy_share,
    cast(force_ended_sessions as bigint) as force_ended_sessions,
    cast(force_ended_sessions as double) / sessions as force_ended_sessions_share,
    cast(flexible_hours as double) as flexible_hours,
    cast(tariff_energy_kwh as double) as tariff_energy_kwh,
    cast(off_peak_energy_kwh as double) as off_peak_energy_kwh_estimate,
    case when tariff_energy_kwh > 0 then off_peak_energy_kwh / tariff_energy_kwh end as off_peak_energy_share_estimate,
    charge_costs,
    savings,
    cast(provisional_sessions as bigint) as provisional_sessions
from summed
