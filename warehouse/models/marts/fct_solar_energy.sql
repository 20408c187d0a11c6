{# Incremental like fct_sessions: stale rows go (forget_stale_solar_energy), these and new ones are made anew. #}
{{ config(materialized='incremental', incremental_strategy='append', pre_hook='{{ forget_stale_solar_energy() }}') }}

{%- set rows_to_make -%}
(
    select changelog.*
    from {{ source('lake', 'solar_energy') }} as changelog
    where (changelog.charging_location_id, changelog.start_time) in (
        {{ keys_to_make('charging_location_id, started_at', ['solar_energy'], 'charging_location_id, start_time') }}
    )
)
{%- endset %}

with energy as (
    {% if is_incremental() %}
        select {{ solar_columns() }}
        from ({{ current_rows(rows_to_make, key='charging_location_id, start_time') }}) as current_energy
    {% else %}
        select * from {{ ref('stg_solar_energy') }}
    {% endif %}
),

placed as (
    select
        energy.charging_location_id,
        energy.user_id,
        energy.started_at,
        energy.ended_at,
        energy.energy_kwh,
        energy.synced_at,
        coalesce(locations.time_zone, '{{ env_var("CHARGELAKE_TIME_ZONE") }}') as time_zone
    from energy
    left join {{ ref('dim_charging_locations') }} as locations
        on energy.charging_location_id = locations.charging_location_id
    where not energy.is_deleted
),

{#- The same hours come at every location: each is turned into local time once, which is ten times faster. #}
moments as (
    select distinct started_at, time_zone
    from placed
),

localised as (
    select
        started_at,
        time_zone,
        {{ local_time('started_at', 'time_zone') }} as start_local
    from moments
),

revision_range as (
    select {{ days_before('solar_known_until', env_var('CHARGELAKE_SOLAR_OVERLAP_DAYS')) }} as begins_at
    from {{ ref('stg_solar_horizon') }}
)

select
    placed.charging_location_id,
    placed.user_id,
    placed.started_at,
    placed.ended_at,
    placed.time_zone,
    localised.start_local,
    cast(localised.start_local as date) as local_date,
    cast(extract(hour from localised.start_local) as integer) as local_hour,
    {{ minutes_between('placed.started_at', 'placed.ended_at') }} as duration_minutes,
    placed.energy_kwh,
    coalesce(coalesce(placed.ended_at, placed.started_at) > revision_range.begins_at, true) as is_provisional,
    placed.synced_at
from placed
inner join localised
    on placed.started_at = localised.started_at and placed.time_zone = localised.time_zone
cross join revision_range
