{# What fct_sessions needs beside its query. #}

{#
    Why a row of fct_sessions may no longer be right: its key, its prices, its location, its car or its car's settings
    were committed since the last build, it was provisional (the correction range moves on), the lake no longer holds its
    key, or it comes soon after a session ended by force that has changed.
#}
{% macro forget_stale_sessions() %}
    {% if is_incremental() %}
        {{ forget_stale('session_id', [
            'is_provisional',
            'session_id in (select id from ' ~ changed_keys('sessions') ~ ')',
            'session_id in (select session_id from ' ~ changed_keys('session_tariffs') ~ ')',
            'charging_location_id in (select id from ' ~ changed_keys('charging_locations') ~ ')',
            'vehicle_id in (select id from ' ~ changed_keys('vehicles') ~ ')',
            'vehicle_id in (select vehicle_id from ' ~ changed_keys('charge_settings') ~ ')',
            is_gone('session_id', 'sessions', 'id'),
            'session_id in (select session_id from (' ~ forced_end_pairs(
                changed_forced_ends(), 'select ' ~ plugged_columns() ~ ' from ' ~ this
            ) ~ ') as pairs)'
        ]) }}
    {% endif %}
{% endmacro %}

{# Forced ends as they were when last built and as they are in any version since, of sessions that have changed. #}
{% macro changed_forced_ends() %}
    select {{ plugged_columns() }}, ended_at
    from {{ this }}
    where
        status = 'ForceEnded'
        and (
            session_id in (select id from {{ changed_keys('sessions') }})
            {% if files_have_gone('sessions') %}or {{ is_gone('session_id', 'sessions', 'id') }}{% endif %}
        )
    union all
    select id as session_id, user_id, vehicle_id, charging_location_id, start_time as started_at, end_time as ended_at
    from {{ source('lake', 'sessions') }}
    where status = 'ForceEnded' and id in (select id from {{ changed_keys('sessions') }})
{% endmacro %}

{# What tells which sessions follow each other. #}
{% macro plugged_columns() %}session_id, user_id, vehicle_id, charging_location_id, started_at{% endmacro %}

{# The columns of stg_sessions, from rows of the lake's sessions. #}
{% macro session_columns() %}
    id as session_id,
    user_id,
    vehicle_id,
    charger_id,
    charging_location_id,
    status,
    calibration_state,
    is_managed,
    start_time as started_at,
    end_time as ended_at,
    charge_speed as charge_speed_kw,
    charged_energy as energy_kwh,
    start_battery_level as start_battery_level_percent,
    end_battery_level as end_battery_level_percent,
    solar_energy as solar_energy_kwh,
    charge_costs,
    savings,
    currency,
    _deleted as is_deleted,
    _synced_at as synced_at
{% endmacro %}
