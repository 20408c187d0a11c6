{#
    Incremental without a time: first every row goes that may no longer be right (forget_stale_sessions), then every
    session that is missing comes. So a build that was skipped, repeated or killed changes nothing in the result.
#}
{{ config(materialized='incremental', incremental_strategy='append', pre_hook='{{ forget_stale_sessions() }}') }}

{%- set missing_keys -%}
select changelog.id
from {{ source('lake', 'sessions') }} as changelog
where not exists (select 1 from {{ this }} as fact where fact.session_id = changelog.id)
{%- endset -%}

with sessions as (
    {% if is_incremental() %}
        select {{ session_columns() }}
        from ({{ current_rows(source('lake', 'sessions'), only=missing_keys) }}) as current_sessions
    {% else %}
        select * from {{ ref('stg_sessions') }}
    {% endif %}
),

placed as (
    select
        sessions.*,
        coalesce(locations.time_zone, '{{ env_var("CHARGELAKE_TIME_ZONE") }}') as time_zone
    from sessions
    left join {{ ref('dim_charging_locations') }} as locations
        on sessions.charging_location_id = locations.charging_location_id
    where not sessions.is_deleted
),

localised as (
    select
        placed.*,
        {{ local_time('started_at', 'time_zone') }} as start_local,
        {{ local_time('ended_at', 'time_zone') }} as end_local
    from placed
),

correction_range as (
    select
        {{ days_before('sessions_known_until', env_var('CHARGELAKE_CORRECTION_DAYS')) }} as begins_at
    from {{ ref('stg_sync_horizon') }}
)

select
    session_id,
    user_id,
    vehicle_id,
    charger_id,
    charging_location_id,
    status,
    calibration_state,
    is_managed,
    started_at,
    ended_at,
    time_zone,
    start_local,
    end_local,
    cast(start_local as date) as local_date,
    cast(extract(hour from start_local) as integer) as local_hour,
    {{ minutes_between('started_at', 'ended_at') }} as duration_minutes,
    energy_kwh,
    start_battery_level_percent,
    end_battery_level_percent,
    charge_costs,
    savings,
    currency,
    case when energy_kwh > 0 then cast(charge_costs as double) / energy_kwh end as price_per_kwh,
    coalesce(
        status not in ('Complete', 'ForceEnded')
        or started_at >= correction_range.begins_at
        or coalesce(ended_at >= correction_range.begins_at, false),
        true
    ) as is_provisional,
    synced_at
from localised
cross join correction_range
