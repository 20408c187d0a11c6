{# Only a payout that was seen on its way shows how long it took: of others the read came after the money. #}
with versions as (
    select
        id as payout_id,
        case when status = 'PaidOut' then _synced_at end as seen_paid_at,
        case when status <> 'PaidOut' then _synced_at end as seen_unpaid_at
    from {{ source('lake', 'payouts') }}
    where not _deleted
),

seen as (
    select
        payout_id,
        min(seen_paid_at) as first_paid_at,
        min(seen_unpaid_at) as first_unpaid_at
    from versions
    group by payout_id
),

localised as (
    select
        payouts.*,
        {{ local_time('payouts.created_at', "'" ~ env_var('CHARGELAKE_TIME_ZONE') ~ "'") }} as created_local,
        case
            when payouts.status = 'PaidOut' and seen.first_unpaid_at < seen.first_paid_at then seen.first_paid_at
        end as paid_out_by
    from {{ ref('stg_payouts') }} as payouts
    left join seen on payouts.payout_id = seen.payout_id
    where not payouts.is_deleted
)

select
    payout_id,
    user_id,
    amount,
    currency,
    status,
    created_at,
    cast(created_local as date) as local_date,
    {{ month_of('created_local') }} as local_month,
    paid_out_by,
    {{ minutes_between('created_at', 'paid_out_by') }} / 1440 as days_to_pay,
    coalesce(status in ('PaidOut', 'Failed', 'Rejected'), false) as is_final,
    synced_at
from localised
