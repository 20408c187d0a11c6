{# What fct_sessions needs beside its query. #}

{#
    Drops every row of fct_sessions that may no longer be right: its key or its location was committed since the
    last build, it was provisional (the correction range moves on), or the lake no longer holds its key.
    Runs in the transaction that then inserts what is missing.
#}
{% macro forget_stale_sessions() %}
    {% if is_incremental() %}
        delete from {{ this }}
        where
            is_provisional
            or session_id in (select id from {{ changed_keys('sessions') }})
            or charging_location_id in (select id from {{ changed_keys('charging_locations') }})
            or session_id not in (select id from {{ source('lake', 'sessions') }} where id is not null)
    {% endif %}
{% endmacro %}

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
