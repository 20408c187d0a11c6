{#
    Production of a day, and an estimate of how much of the charging it covers: a session's energy is spread evenly over
    the time in which it charged, and in every interval of production the smaller of the two powers counts. A session
    that was not steered charges at once; when a steered one charged is not told, so its plug-in stands for it.
    To find overlaps without comparing every session of a place with every hour, both are listed under each UTC day that
    they touch and meet on the day on which the overlap begins.
    A system that uses energy itself, as at night, is told with a negative figure: that is no sun.
#}
{%- set day = 86400000 %}
with production as (
    select
        charging_location_id,
        started_at,
        ended_at,
        time_zone,
        local_date,
        energy_kwh,
        case when energy_kwh < 0 then 0 else energy_kwh end as sun_kwh,
        duration_minutes,
        is_provisional,
        {{ span_number(epoch_millis('started_at'), day) }} as first_day,
        {{ span_number(epoch_millis('ended_at'), day) }} as last_day
    from {{ ref('fct_solar_energy') }}
),

sites as (
    select
        charging_location_id,
        min(started_at) as known_from,
        max(ended_at) as known_until
    from production
    group by charging_location_id
),

spread as (
    select
        session_id,
        charging_location_id,
        started_at,
        case
            when not is_managed and charging_minutes > 0
                then {{ minutes_after('started_at', 'charging_minutes') }}
            else ended_at
        end as ended_at,
        energy_kwh,
        is_provisional
    from {{ ref('fct_sessions') }}
    where {{ plausible('energy_kwh') }} >= 0 and duration_minutes > 0
),

charging as (
    select
        sessions.session_id,
        sessions.charging_location_id,
        sessions.started_at,
        sessions.ended_at,
        sessions.energy_kwh,
        {{ minutes_between('sessions.started_at', 'sessions.ended_at') }} as duration_minutes,
        sessions.is_provisional,
        {{ span_number(epoch_millis('sessions.started_at'), day) }} as first_day,
        {{ span_number(epoch_millis('greatest(sessions.started_at, sites.known_from)'), day) }} as first_known_day,
        {{ span_number(epoch_millis('least(sessions.ended_at, sites.known_until)'), day) }} as last_known_day
    from spread as sessions
    inner join sites
        on
            sessions.charging_location_id = sites.charging_location_id
            and sessions.started_at < sites.known_until
            and sessions.ended_at > sites.known_from
),

charging_days as (
    select
        charging.*,
        {{ each_integer('first_known_day', 'last_known_day') }} as utc_day
    from charging
),

{#- Nearly every interval lies within one day; only the others need to be listed by a function, which is slow. #}
production_days as (
    select production.*, first_day as utc_day
    from production
    where duration_minutes > 0 and {{ plausible('sun_kwh') }} is not null
    union all
    select
        production.*,
        {{ each_integer('first_day + 1', 'last_day') }} as utc_day
    from production
    where duration_minutes > 0 and {{ plausible('sun_kwh') }} is not null and first_day < last_day
),

met as (
    select
        production.charging_location_id,
        production.started_at,
        production.sun_kwh as produced_kwh,
        production.duration_minutes as interval_minutes,
        charging.energy_kwh as session_kwh,
        charging.duration_minutes as session_minutes,
        charging.is_provisional,
        {{ minutes_between(
            'greatest(production.started_at, charging.started_at)', 'least(production.ended_at, charging.ended_at)'
        ) }} as overlap_minutes
    from production_days as production
    inner join charging_days as charging
        on
            production.charging_location_id = charging.charging_location_id
            and production.utc_day = charging.utc_day
            and production.utc_day = greatest(production.first_day, charging.first_day)
    where production.started_at < charging.ended_at and charging.started_at < production.ended_at
),

shared as (
    select
        charging_location_id,
        started_at,
        is_provisional,
        session_kwh * overlap_minutes / session_minutes as charged_kwh,
        least(
            session_kwh * overlap_minutes / session_minutes, produced_kwh * overlap_minutes / interval_minutes
        ) as solar_kwh
    from met
),

charged as (
    select
        charging_location_id,
        started_at,
        {{ stable_sum('charged_kwh') }} as charged_kwh,
        {{ stable_sum('solar_kwh') }} as solar_kwh,
        max(case when is_provisional then 1 else 0 end) as provisional
    from shared
    group by charging_location_id, started_at
),

{#- Two cars at one place cannot both have the same sun: no interval gives more than it produced. #}
intervals as (
    select
        production.charging_location_id,
        production.local_date,
        production.time_zone,
        production.energy_kwh,
        production.duration_minutes,
        charged.charged_kwh,
        case
            when {{ plausible('charged.charged_kwh') }} is not null and charged.solar_kwh is not null
                then least(charged.solar_kwh, production.sun_kwh)
        end as solar_kwh,
        greatest(case when production.is_provisional then 1 else 0 end, coalesce(charged.provisional, 0)) as provisional
    from production
    left join charged
        on
            production.charging_location_id = charged.charging_location_id
            and production.started_at = charged.started_at
),

summed as (
    select
        charging_location_id,
        local_date,
        min(time_zone) as time_zone,
        count(*) as intervals,
        {{ stable_sum('duration_minutes') }} as covered_minutes,
        {{ stable_sum('energy_kwh') }} as energy_kwh,
        {{ stable_sum('charged_kwh') }} as charged_kwh,
        {{ stable_sum('solar_kwh') }} as estimated_solar_kwh,
        max(provisional) as provisional
    from intervals
    group by charging_location_id, local_date
)

select
    charging_location_id,
    local_date,
    {{ month_of('local_date') }} as local_month,
    time_zone,
    cast(intervals as bigint) as intervals,
    covered_minutes / 60 as covered_hours,
    cast(energy_kwh as double) as energy_kwh,
    cast(charged_kwh as double) as charged_kwh,
    cast(estimated_solar_kwh as double) as estimated_solar_kwh,
    case when charged_kwh > 0 then estimated_solar_kwh / charged_kwh end as estimated_solar_share,
    provisional = 1 as is_provisional
from summed
