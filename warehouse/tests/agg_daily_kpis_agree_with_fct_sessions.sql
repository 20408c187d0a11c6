-- Sums agree between the grains, currency by currency; energy up to the last bits of a double.
{{ config(meta={'dagster': {'ref': {'name': 'agg_daily_kpis'}}}) -}}
with facts as (
    select currency, count(*) as sessions, coalesce(sum(energy_kwh), 0) as energy_kwh, sum(charge_costs) as charge_costs
    from {{ ref('fct_sessions') }}
    group by currency
),

kpis as (
    select
        currency,
        sum(sessions) as sessions,
        coalesce(sum(energy_kwh), 0) as energy_kwh,
        sum(charge_costs) as charge_costs
    from {{ ref('agg_daily_kpis') }}
    group by currency
)

select
    facts.currency,
    facts.sessions as fact_sessions,
    kpis.sessions as kpi_sessions,
    facts.energy_kwh as fact_kwh,
    kpis.energy_kwh as kpi_kwh
from facts
full outer join kpis on coalesce(facts.currency, '') = coalesce(kpis.currency, '')
where
    coalesce(facts.sessions, 0) <> coalesce(kpis.sessions, 0)
    or coalesce(facts.charge_costs, 0) <> coalesce(kpis.charge_costs, 0)
    or abs(facts.energy_kwh - kpis.energy_kwh) > 1e-9 * (1 + abs(facts.energy_kwh))
