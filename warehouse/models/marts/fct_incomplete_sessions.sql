{# What people ask about: sessions whose figures cannot be right, one row for each session and problem. #}
{%- set open_days = 3 %}

with horizon as (
    select {{ days_before('sessions_known_until', open_days) }} as begins_at
    from {{ ref('stg_sync_horizon') }}
),

ended_before as (
    select
        session_id,
        started_at,
        ended_at,
        max(ended_at) over (
            partition by vehicle_id
            order by started_at, ended_at, session_id
            rows between unbounded preceding and 1 preceding
        ) as earlier_ended_at
    from {{ ref('fct_sessions') }}
    where vehicle_id is not null and (ended_at >= started_at or ended_at is null)
),

problems as (
    select sessions.session_id, 'open_for_days' as problem
    from {{ ref('fct_sessions') }} as sessions
    cross join horizon
    where sessions.ended_at is null and sessions.started_at < horizon.begins_at
    union all
    select session_id, 'ends_before_start' as problem
    from {{ ref('fct_sessions') }}
    where ended_at < started_at
    union all
    select session_id, 'energy_without_time' as problem
    from {{ ref('fct_sessions') }}
    where energy_kwh > 0 and ended_at = started_at
    union all
    select session_id, 'negative_value' as problem
    from {{ ref('fct_sessions') }}
    where energy_kwh < 0 or start_battery_level_percent < 0 or end_battery_level_percent < 0
    union all
    select session_id, 'overlap' as problem
    from ended_before
    where earlier_ended_at > started_at
)

select
    problems.session_id,
    problems.problem,
    sessions.user_id,
    sessions.vehicle_id,
    sessions.charging_location_id,
    sessions.status,
    sessions.started_at,
    sessions.ended_at,
    sessions.energy_kwh,
    sessions.is_provisional
from problems
inner join {{ ref('fct_sessions') }} as sessions on problems.session_id = sessions.session_id
