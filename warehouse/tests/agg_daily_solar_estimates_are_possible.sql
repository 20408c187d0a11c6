-- No more sun in a day's charging than was produced, or than was charged. What a system used itself is no sun.
{{ config(meta={'dagster': {'ref': {'name': 'agg_daily_solar'}}}) -}}
with produced as (
    select
        charging_location_id,
        local_date,
        {{ stable_sum('case when energy_kwh > 0 then energy_kwh end') }} as sun_kwh
    from {{ ref('fct_solar_energy') }}
    group by charging_location_id, local_date
)

select
    days.charging_location_id,
    days.local_date,
    days.estimated_solar_kwh,
    days.charged_kwh,
    produced.sun_kwh
from {{ ref('agg_daily_solar') }} as days
inner join produced
    on days.charging_location_id = produced.charging_location_id and days.local_date = produced.local_date
where
    days.estimated_solar_kwh > coalesce(produced.sun_kwh, 0) + 0.000001
    or days.estimated_solar_kwh > coalesce(days.charged_kwh, 0) + 0.000001
