-- Sums agree between the grains, currency by currency; energy up to the last bits of a double.
{{ config(meta={'dagster': {'ref': {'name': 'agg_daily_kpis'}}}) -}}
with facts as (
    select
        currency,
        count(*) as sessions,
        coalesce({{ stable_sum('energy_kwh') }}, 0) as energy_kwh,
        coalesce({{ sum_of_money('charge_costs') }}, 0) as charge_costs,
        coalesce({{ sum_of_money('savings') }}, 0) as savings
    from {{ ref('fct_sessions') }}
    group by currency
),

kpis as (
    select
        currency,
        sum(sessions) as sessions,
        coalesce(sum(energy_kwh), 0) as energy_kwh,
        coalesce(sum(charge_costs), 0) as charge_costs,
        coalesce(sum(savings), 0) as savings
    from {{ ref('agg_daily_kpis') }}
    group by currency
),

{#- Added with opposite signs, so that a currency that is null meets itself. #}
both_grains as (
    select currency, sessions, energy_kwh, charge_costs, savings
    from facts
    union all
    select currency, -sessions, -energy_kwh, -charge_costs, -savings
    from kpis
)

select
    currency,
    sum(sessions) as sessions_missing,
    sum(energy_kwh) as kwh_missing,
    sum(charge_costs) as costs_missing,
    sum(savings) as savings_missing
from both_grains
group by currency
having
    sum(sessions) <> 0
    or sum(charge_costs) <> 0
    or sum(savings) <> 0
    or abs(sum(energy_kwh)) > 1e-9 * (1 + sum(abs(energy_kwh)))
