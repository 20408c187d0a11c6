-- Sums agree between the grains, each amount by its own currency; energy up to the last bits of a double.
{{ config(meta={'dagster': {'ref': {'name': 'agg_monthly_user_benefits'}}}) -}}
with amounts as (
    select currency, count(*) as sessions, sum(energy_kwh) as energy_kwh, sum(charge_costs) as costs, sum(savings) as savings
    from {{ ref('fct_financials') }}
    group by currency
),

earned as (
    select
        reward_currency as currency,
        sum(reward_amount) as rewards,
        sum(case when is_reward_paid_out then reward_amount end) as rewards_paid_out
    from {{ ref('fct_financials') }}
    where reward_amount is not null
    group by reward_currency
),

months as (
    select
        currency,
        sum(sessions) as sessions,
        sum(energy_kwh) as energy_kwh,
        sum(charge_costs) as costs,
        sum(savings) as savings,
        sum(rewards) as rewards,
        sum(benefits) as benefits,
        sum(rewards_paid_out) as rewards_paid_out
    from {{ ref('agg_monthly_user_benefits') }}
    group by currency
)

select
    months.currency,
    amounts.sessions as fact_sessions,
    months.sessions as month_sessions,
    months.benefits as month_benefits
from months
full outer join amounts on coalesce(months.currency, '') = coalesce(amounts.currency, '')
full outer join earned on coalesce(months.currency, amounts.currency, '') = coalesce(earned.currency, '')
where
    coalesce(months.sessions, 0) <> coalesce(amounts.sessions, 0)
    or coalesce(months.costs, 0) <> coalesce(amounts.costs, 0)
    or coalesce(months.savings, 0) <> coalesce(amounts.savings, 0)
    or coalesce(months.rewards, 0) <> coalesce(earned.rewards, 0)
    or coalesce(months.rewards_paid_out, 0) <> coalesce(earned.rewards_paid_out, 0)
    or coalesce(months.benefits, 0) <> coalesce(amounts.savings, 0) + coalesce(earned.rewards, 0)
    or abs(coalesce(months.energy_kwh, 0) - coalesce(amounts.energy_kwh, 0)) > 1e-9 * (1 + abs(coalesce(months.energy_kwh, 0)))
