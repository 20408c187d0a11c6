{#
    A chain of sessions ended by force and their follow-ups is one plug-in, named after its first session. Every
    session has at most one before it and one after it, so chains do not branch.
#}
with recursive pairs as (
    {{ forced_end_pairs(
        'select ' ~ plugged_columns() ~ ', ended_at from ' ~ ref('fct_sessions') ~ " where status = 'ForceEnded'",
        'select ' ~ plugged_columns() ~ ' from ' ~ ref('fct_sessions')
    ) }}
),

first_follow_ups as (
    select forced_session_id, forced_end_ms, session_id
    from (
        select
            pairs.*,
            row_number() over (partition by forced_session_id order by start_ms, session_id) as place
        from pairs
    ) as ranked
    where place = 1
),

links as (
    select forced_session_id, session_id
    from (
        select
            first_follow_ups.*,
            row_number() over (partition by session_id order by forced_end_ms desc, forced_session_id) as place
        from first_follow_ups
    ) as ranked
    where place = 1
),

chains as (
    select forced_session_id as plug_in_id, forced_session_id as session_id
    from links
    where forced_session_id not in (select session_id from links)
    union all
    select chains.plug_in_id, links.session_id
    from chains
    inner join links on chains.session_id = links.forced_session_id
),

chained as (
    select
        chains.plug_in_id,
        count(*) as sessions,
        {{ list_in_order('sessions.session_id', 'sessions.started_at, sessions.session_id') }} as session_ids,
        max(sessions.vehicle_id) as vehicle_id,
        max(sessions.charging_location_id) as charging_location_id,
        case when count(sessions.ended_at) = count(*) then max(sessions.ended_at) end as ended_at,
        max(case when sessions.is_managed then 1 else 0 end) = 1 as has_managed_session,
        {{ stable_sum('sessions.energy_kwh') }} as energy_kwh,
        case when count(distinct sessions.currency) = 1 then {{ sum_of_money('sessions.charge_costs') }} end as charge_costs,
        case when count(distinct sessions.currency) = 1 then {{ sum_of_money('sessions.savings') }} end as savings,
        case when count(distinct sessions.currency) = 1 then max(sessions.currency) end as currency,
        count(sessions.charge_costs) as sessions_with_costs,
        max(case when sessions.is_provisional then 1 else 0 end) = 1 as is_provisional,
        max(sessions.synced_at) as synced_at
    from chains
    inner join {{ ref('fct_sessions') }} as sessions on chains.session_id = sessions.session_id
    group by chains.plug_in_id
),

plug_ins as (
    select
        sessions.session_id as plug_in_id,
        sessions.user_id,
        coalesce(chained.vehicle_id, sessions.vehicle_id) as vehicle_id,
        coalesce(chained.charging_location_id, sessions.charging_location_id) as charging_location_id,
        coalesce(chained.sessions, 1) as sessions,
        coalesce(chained.session_ids, {{ list_of('sessions.session_id') }}) as session_ids,
        sessions.started_at,
        case when chained.plug_in_id is null then sessions.ended_at else chained.ended_at end as ended_at,
        sessions.time_zone,
        sessions.start_local,
        sessions.local_date,
        sessions.local_hour,
        coalesce(chained.has_managed_session, sessions.is_managed) as has_managed_session,
        case when chained.plug_in_id is null then sessions.energy_kwh else chained.energy_kwh end as energy_kwh,
        case when chained.plug_in_id is null then sessions.charge_costs else chained.charge_costs end as charge_costs,
        case when chained.plug_in_id is null then sessions.savings else chained.savings end as savings,
        case when chained.plug_in_id is null then sessions.currency else chained.currency end as currency,
        case
            when chained.plug_in_id is not null then chained.sessions_with_costs
            when sessions.charge_costs is not null then 1
            else 0
        end as sessions_with_costs,
        coalesce(chained.is_provisional, sessions.is_provisional) as is_provisional,
        coalesce(chained.synced_at, sessions.synced_at) as synced_at
    from {{ ref('fct_sessions') }} as sessions
    left join chained on sessions.session_id = chained.plug_in_id
    left join links on sessions.session_id = links.session_id
    where links.session_id is null
)

select
    plug_in_id,
    user_id,
    vehicle_id,
    charging_location_id,
    sessions,
    session_ids,
    started_at,
    ended_at,
    time_zone,
    start_local,
    local_date,
    local_hour,
    {{ minutes_between('started_at', 'ended_at') }} as duration_minutes,
    has_managed_session,
    energy_kwh,
    charge_costs,
    savings,
    currency,
    sessions_with_costs,
    is_provisional,
    synced_at
from plug_ins
