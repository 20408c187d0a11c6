-- What the API says a user has earned and was paid is what the rewards add up to. A warning: the two are read at
-- different moments.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'fct_financials'}}}) -}}
with earned as (
    select
        user_id,
        reward_currency as currency,
        {{ sum_of_money('reward_amount') }} as total_amount,
        {{ sum_of_money('case when is_reward_paid_out then reward_amount else 0 end') }} as paid_out_amount
    from {{ ref('fct_financials') }}
    where reward_amount is not null
    group by user_id, reward_currency
)

select
    balances.user_id,
    balances.currency,
    balances.total_amount,
    earned.total_amount as rewards_total_amount
from {{ ref('stg_reward_balances') }} as balances
left join earned on balances.user_id = earned.user_id and balances.currency = earned.currency
where
    not balances.is_deleted
    and (
        balances.total_amount <> coalesce(earned.total_amount, 0)
        or balances.paid_out_amount <> coalesce(earned.paid_out_amount, 0)
    )
