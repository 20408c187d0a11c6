-- Sums agree between the grains, each amount by its own currency; energy up to the last bits of a double.
{{ config(meta={'dagster': {'ref': {'name': 'agg_monthly_user_benefits'}}}) -}}
with amounts as (
    select
        currency,
        count(*) as sessions,
        coalesce({{ stable_sum('energy_kwh') }}, 0) as energy_kwh,
        coalesce({{ sum_of_money('charge_costs') }}, 0) as costs,
        coalesce({{ sum_of_money('savings') }}, 0) as savings
    from {{ ref('fct_financials') }}
    group by currency
),

earned as (
    select
        reward_currency as currency,
        coalesce({{ sum_of_money('reward_amount') }}, 0) as rewards,
        coalesce({{ sum_of_money('case when is_reward_paid_out then reward_amount end') }}, 0) as rewards_paid_out
    from {{ ref('fct_financials') }}
    group by reward_currency
),

months as (
    select
        currency,
        sum(sessions) as sessions,
        coalesce(sum(energy_kwh), 0) as energy_kwh,
        coalesce(sum(charge_costs), 0) as costs,
        coalesce(sum(savings), 0) as savings,
        coalesce(sum(rewards), 0) as rewards,
        coalesce(sum(benefits), 0) as benefits,
        coalesce(sum(rewards_paid_out), 0) as rewards_paid_out
    from {{ ref('agg_monthly_user_benefits') }}
    group by currency
),

{#- Added with opposite signs, so that a currency that is null meets itself. #}
both_grains as (
    select currency, sessions, energy_kwh, costs, savings, 0 as rewards, savings as benefits, 0 as rewards_paid_out
    from amounts
    union all
    select currency, 0 as sessions, 0 as energy_kwh, 0 as costs, 0 as savings, rewards, rewards as benefits, rewards_paid_out
    from earned
    union all
    select currency, -sessions, -energy_kwh, -costs, -savings, -rewards, -benefits, -rewards_paid_out
    from months
)

select
    currency,
    sum(sessions) as sessions_missing,
    sum(energy_kwh) as kwh_missing,
    sum(benefits) as benefits_missing
from both_grains
group by currency
having
    sum(sessions) <> 0
    or sum(costs) <> 0
    or sum(savings) <> 0
    or sum(rewards) <> 0
    or sum(benefits) <> 0
    or sum(rewards_paid_out) <> 0
    or abs(sum(energy_kwh)) > 1e-9 * (1 + sum(abs(energy_kwh)))
