{#
    Sessions and energy are counted in the row of the currency of their costs (null where it is not known), each amount in
    the row of its own currency, payouts in the month in which they were made. Rewards in the currency of the costs, nearly
    all of them, come with the session's own row: half as many rows to sum up.
#}
with parts as (
    select
        user_id,
        local_month,
        currency,
        1 as sessions,
        energy_kwh,
        charge_costs,
        savings,
        case when reward_currency is not distinct from currency then reward_amount end as rewards,
        case
            when reward_currency is not distinct from currency and is_reward_paid_out then reward_amount
        end as rewards_paid_out,
        cast(null as decimal(38, 9)) as paid_out,
        is_provisional
    from {{ ref('fct_financials') }}
    union all
    select
        user_id,
        local_month,
        reward_currency as currency,
        0 as sessions,
        cast(null as double) as energy_kwh,
        cast(null as decimal(38, 9)) as charge_costs,
        cast(null as decimal(38, 9)) as savings,
        reward_amount as rewards,
        case when is_reward_paid_out then reward_amount end as rewards_paid_out,
        cast(null as decimal(38, 9)) as paid_out,
        is_provisional
    from {{ ref('fct_financials') }}
    where reward_amount is not null and reward_currency is distinct from currency
    union all
    select
        user_id,
        local_month,
        currency,
        0 as sessions,
        cast(null as double) as energy_kwh,
        cast(null as decimal(38, 9)) as charge_costs,
        cast(null as decimal(38, 9)) as savings,
        cast(null as decimal(38, 9)) as rewards,
        cast(null as decimal(38, 9)) as rewards_paid_out,
        amount as paid_out,
        false as is_provisional
    from {{ ref('fct_payouts') }}
    where status = 'PaidOut' and user_id is not null
),

summed as (
    select
        user_id,
        local_month,
        currency,
        sum(sessions) as sessions,
        {{ stable_sum('energy_kwh') }} as energy_kwh,
        {{ sum_of_money('charge_costs') }} as charge_costs,
        {{ sum_of_money('savings') }} as savings,
        {{ sum_of_money('rewards') }} as rewards,
        {{ sum_of_money('rewards_paid_out') }} as rewards_paid_out,
        {{ sum_of_money('paid_out') }} as paid_out,
        max(case when is_provisional then 1 else 0 end) as provisional
    from parts
    group by user_id, local_month, currency
)

select
    user_id,
    local_month,
    currency,
    cast(sessions as bigint) as sessions,
    cast(energy_kwh as double) as energy_kwh,
    charge_costs,
    savings,
    rewards,
    case
        when savings is not null or rewards is not null
            then cast(coalesce(savings, 0) + coalesce(rewards, 0) as decimal(38, 9))
    end as benefits,
    rewards_paid_out,
    paid_out,
    provisional = 1 as is_provisional
from summed
