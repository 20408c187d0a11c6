-- Production of the days and of the months is that of the intervals; energy up to the last bits of a double.
{{ config(meta={'dagster': {'ref': {'name': 'agg_daily_solar'}}}) -}}
with intervals as (
    select charging_location_id, count(*) as intervals, coalesce({{ stable_sum('energy_kwh') }}, 0) as energy_kwh
    from {{ ref('fct_solar_energy') }}
    group by charging_location_id
),

days as (
    select charging_location_id, sum(intervals) as intervals, coalesce(sum(energy_kwh), 0) as energy_kwh
    from {{ ref('agg_daily_solar') }}
    group by charging_location_id
),

months as (
    select charging_location_id, coalesce(sum(energy_kwh), 0) as energy_kwh
    from {{ ref('agg_monthly_solar') }}
    group by charging_location_id
)

select
    intervals.charging_location_id,
    intervals.energy_kwh as interval_kwh,
    days.energy_kwh as day_kwh,
    months.energy_kwh as month_kwh
from intervals
left join days on intervals.charging_location_id = days.charging_location_id
left join months on intervals.charging_location_id = months.charging_location_id
where
    intervals.intervals <> coalesce(days.intervals, 0)
    or abs(intervals.energy_kwh - coalesce(days.energy_kwh, 0)) > 1e-9 * (1 + abs(intervals.energy_kwh))
    or abs(intervals.energy_kwh - coalesce(months.energy_kwh, 0)) > 1e-9 * (1 + abs(intervals.energy_kwh))
