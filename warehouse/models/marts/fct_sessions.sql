{#
    Incremental without a time: first every row goes that may no longer be right (forget_stale_sessions), then these
    sessions and all that were committed since are made anew. So a build that was skipped, repeated or killed changes
    nothing in the result.
#}
{{ config(materialized='incremental', incremental_strategy='append', pre_hook='{{ forget_stale_sessions() }}') }}

{%- set forced_ends -%}
select {{ plugged_columns() }}, ended_at
from sessions
where status = 'ForceEnded' and not is_deleted
{% if is_incremental() %}
union all
select {{ plugged_columns() }}, ended_at
from {{ this }}
where status = 'ForceEnded'
{% endif %}
{%- endset -%}

{%- set tariff_types = {
    'standard': 'Standard', 'peak': 'Peak', 'off_peak': 'OffPeak', 'super_off_peak': 'SuperOffPeak', 'dynamic': 'Dynamic'
} %}

with sessions as (
    {% if is_incremental() %}
        select {{ session_columns() }}
        from ({{ current_rows(source('lake', 'sessions'), only=keys_to_make('session_id', ['sessions'], 'id')) }}) as current_sessions
    {% else %}
        select * from {{ ref('stg_sessions') }}
    {% endif %}
),

{#- Why a session was not steered, as far as other rows tell. #}
after_forced_ends as (
    select distinct session_id
    from ({{ forced_end_pairs(forced_ends, 'select ' ~ plugged_columns() ~ ' from sessions') }}) as pairs
),

placed as (
    select
        sessions.*,
        coalesce(locations.time_zone, '{{ env_var("CHARGELAKE_TIME_ZONE") }}') as time_zone,
        not (
            {{ is_in_list('vehicles.capabilities', "'StartStopCharging'") }}
            and {{ is_in_list('vehicles.capabilities', "'GeoLocation'") }}
        ) as lacks_capability,
        not switches.is_smart_charging_enabled and not switches.is_deleted as is_switched_off,
        after_forced_ends.session_id is not null as is_after_forced_end
    from sessions
    left join {{ ref('dim_charging_locations') }} as locations
        on sessions.charging_location_id = locations.charging_location_id
    left join {{ ref('stg_vehicles') }} as vehicles
        on sessions.vehicle_id = vehicles.vehicle_id
    left join {{ ref('stg_smart_charging_switches') }} as switches
        on
            sessions.vehicle_id = switches.vehicle_id
            and sessions.started_at >= switches.valid_from
            and sessions.started_at < switches.valid_until
    left join after_forced_ends
        on sessions.session_id = after_forced_ends.session_id
    where not sessions.is_deleted
),

localised as (
    select
        placed.*,
        {{ local_time('started_at', 'time_zone') }} as start_local,
        {{ local_time('ended_at', 'time_zone') }} as end_local,
        {{ minutes_between('started_at', 'ended_at') }} as duration_minutes
    from placed
),

{#-
    The part of each price segment that lies within the session, milliseconds. Prices are weighted as exact decimals of
    38 digits (23 and 15): doubles would depend on the order of rows. An absurd price counts as unknown.
#}
within_sessions as (
    select
        tariffs.session_id,
        tariffs.tariff_type,
        tariffs.currency,
        cast({{ plausible('tariffs.price_per_kwh') }} as decimal(23, 9)) as price_per_kwh,
        greatest(
            0,
            least(
                {{ epoch_millis('coalesce(tariffs.ended_at, sessions.ended_at)') }},
                {{ epoch_millis('coalesce(sessions.ended_at, tariffs.ended_at)') }}
            ) - greatest({{ epoch_millis('tariffs.started_at') }}, {{ epoch_millis('sessions.started_at') }})
        ) as millis
    from {{ ref('fct_session_tariffs') }} as tariffs
    inner join sessions on tariffs.session_id = sessions.session_id
),

tariff_use as (
    select
        session_id,
        sum(millis) as millis,
        {% for name, type in tariff_types.items() %}
            sum(case when tariff_type = '{{ type }}' then millis else 0 end) as {{ name }}_millis,
        {% endfor %}
        case
            when count(price_per_kwh) = count(*) then sum(price_per_kwh * cast(millis as decimal(15, 0)))
        end as price_millis,
        case when count(currency) = count(*) and min(currency) = max(currency) then max(currency) end as currency
    from within_sessions
    where millis > 0
    group by session_id
),

correction_range as (
    select
        {{ days_before('sessions_known_until', env_var('CHARGELAKE_CORRECTION_DAYS')) }} as begins_at
    from {{ ref('stg_sync_horizon') }}
),

measured as (
    select
        localised.*,
        case
            when energy_kwh >= 0 and charge_speed_kw > 0 and coalesce(duration_minutes >= 0, true)
                then least(energy_kwh / charge_speed_kw * 60, duration_minutes)
        end as charging_minutes,
        case when energy_kwh > 0 then cast(charge_costs as double) / energy_kwh end as price_per_kwh,
        case
            when tariff_use.currency is not null then cast(tariff_use.price_millis as double) / tariff_use.millis
        end as average_tariff_price_per_kwh,
        tariff_use.currency as tariff_currency,
        {% for name in tariff_types %}
            cast(tariff_use.{{ name }}_millis as double) / tariff_use.millis as {{ name }}_energy_share_estimate,
        {% endfor %}
        case
            when energy_kwh > 0 and solar_energy_kwh >= 0 then least(solar_energy_kwh / energy_kwh, 1)
        end as solar_share_estimate
    from localised
    left join tariff_use on localised.session_id = tariff_use.session_id
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
    case
        when is_managed is distinct from false then null
        when charging_location_id is null then 'unknown_location'
        when lacks_capability then 'missing_capability'
        when is_switched_off then 'smart_charging_off'
        when is_after_forced_end then 'after_forced_end'
    end as unmanaged_reason,
    started_at,
    ended_at,
    time_zone,
    start_local,
    end_local,
    cast(start_local as date) as local_date,
    cast(extract(hour from start_local) as integer) as local_hour,
    duration_minutes,
    charging_minutes,
    (duration_minutes - charging_minutes) / 60 as flexible_hours,
    energy_kwh,
    start_battery_level_percent,
    end_battery_level_percent,
    charge_costs,
    savings,
    currency,
    price_per_kwh,
    average_tariff_price_per_kwh,
    tariff_currency,
    case when currency = tariff_currency then price_per_kwh - average_tariff_price_per_kwh end as price_against_average,
    {% for name in tariff_types %}
        {{ name }}_energy_share_estimate,
    {% endfor %}
    solar_share_estimate,
    coalesce(
        status not in ('Complete', 'ForceEnded')
        or started_at >= correction_range.begins_at
        or coalesce(ended_at >= correction_range.begins_at, false),
        true
    ) as is_provisional,
    synced_at
from measured
cross join correction_range
