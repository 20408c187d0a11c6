{#
    Incremental like fct_sessions: first every row goes that may no longer be right (forget_stale_financials), then these
    and new ones are made anew. A reward without financials has a row too, so that no reward is lost.
#}
{{ config(materialized='incremental', incremental_strategy='append', pre_hook='{{ forget_stale_financials() }}') }}

{%- set key = 'user_id, session_id' %}

with
{% if is_incremental() %}
to_make as (
    {{ keys_to_make(key, ['financials', 'rewards'], key) }}
),

financials as (
    select {{ financials_columns() }}
    from ({{ current_rows(rows_to_make_of('financials'), key=key) }}) as current_financials
),

rewards as (
    select {{ rewards_columns() }}
    from ({{ current_rows(rows_to_make_of('rewards'), key=key) }}) as current_rewards
),
{% else %}
financials as (
    select * from {{ ref('stg_financials') }}
),

rewards as (
    select * from {{ ref('stg_rewards') }}
),
{% endif %}

keys as (
    select user_id, session_id from financials where not is_deleted
    union
    select user_id, session_id from rewards where not is_deleted
),

joined as (
    select
        keys.user_id,
        keys.session_id,
        coalesce(financials.vehicle_id, sessions.vehicle_id) as vehicle_id,
        coalesce(financials.charging_location_id, sessions.charging_location_id) as charging_location_id,
        coalesce(financials.started_at, rewards.started_at, sessions.started_at) as started_at,
        coalesce(financials.ended_at, sessions.ended_at) as ended_at,
        financials.energy_kwh,
        financials.charge_costs,
        financials.savings,
        financials.currency,
        rewards.amount as reward_amount,
        rewards.currency as reward_currency,
        rewards.is_paid_out as is_reward_paid_out,
        case
            when rewards.currency = financials.currency then rewards.amount
            when financials.currency is null and financials.savings is null then rewards.amount
        end as reward_to_add,
        case
            when financials.session_id is not null and sessions.session_id is not null
                then
                    coalesce(abs(financials.energy_kwh - sessions.energy_kwh) < 0.000001, true)
                    and coalesce(financials.charge_costs = sessions.charge_costs, true)
                    and coalesce(financials.savings = sessions.savings, true)
                    and coalesce(financials.currency = sessions.currency, true)
        end as agrees_with_session,
        sessions.started_at as session_started_at,
        sessions.time_zone as session_time_zone,
        sessions.start_local as session_start_local,
        sessions.is_provisional as is_session_provisional,
        greatest(financials.synced_at, rewards.synced_at) as synced_at
    from keys
    left join financials
        on keys.user_id = financials.user_id and keys.session_id = financials.session_id and not financials.is_deleted
    left join rewards
        on keys.user_id = rewards.user_id and keys.session_id = rewards.session_id and not rewards.is_deleted
    left join {{ ref('fct_sessions') }} as sessions
        on keys.session_id = sessions.session_id
),

placed as (
    select
        joined.*,
        coalesce(locations.time_zone, '{{ env_var("CHARGELAKE_TIME_ZONE") }}') as time_zone
    from joined
    left join {{ ref('dim_charging_locations') }} as locations
        on joined.charging_location_id = locations.charging_location_id
),

{#- Turning an instant into local time is dear where the zone differs by row; the session has done it already. #}
localised as (
    select
        placed.*,
        case
            when session_started_at = started_at and session_time_zone = time_zone then session_start_local
            else {{ local_time('started_at', 'time_zone') }}
        end as start_local
    from placed
),

correction_range as (
    select
        {{ days_before('sessions_known_until', env_var('CHARGELAKE_CORRECTION_DAYS')) }} as begins_at
    from {{ ref('stg_sync_horizon') }}
)

select
    user_id,
    session_id,
    vehicle_id,
    charging_location_id,
    started_at,
    ended_at,
    time_zone,
    start_local,
    cast(start_local as date) as local_date,
    {{ month_of('start_local') }} as local_month,
    energy_kwh,
    charge_costs,
    savings,
    currency,
    case when energy_kwh > 0 then cast(charge_costs as double) / energy_kwh end as price_per_kwh,
    reward_amount,
    reward_currency,
    is_reward_paid_out,
    case
        when {{ plausible('savings') }} is not null or {{ plausible('reward_to_add') }} is not null
            then
                cast(
                    coalesce({{ plausible('savings') }}, 0) + coalesce({{ plausible('reward_to_add') }}, 0)
                    as decimal(38, 9)
                )
    end as benefits,
    case
        when {{ plausible('savings') }} is not null then currency
        when {{ plausible('reward_to_add') }} is not null then reward_currency
    end as benefits_currency,
    agrees_with_session,
    coalesce(
        is_session_provisional,
        started_at >= correction_range.begins_at or coalesce(ended_at >= correction_range.begins_at, false),
        true
    ) as is_provisional,
    synced_at
from localised
cross join correction_range
