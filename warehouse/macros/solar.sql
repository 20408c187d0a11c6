{# What the models of solar energy need beside their queries. #}

{#
    Why a row of fct_solar_energy may no longer be right: it or its location was committed since the last build, it was
    provisional, or the lake no longer holds its key.
#}
{% macro forget_stale_solar_energy() %}
    {% if is_incremental() %}
        {%- set keys, lake_keys = 'charging_location_id, started_at', 'charging_location_id, start_time' %}
        {{ forget_stale(keys, [
            'is_provisional',
            '(' ~ keys ~ ') in (select ' ~ lake_keys ~ ' from ' ~ changed_keys('solar_energy') ~ ')',
            'charging_location_id in (select id from ' ~ changed_keys('charging_locations') ~ ')',
            is_gone(keys, 'solar_energy', lake_keys)
        ]) }}
    {% endif %}
{% endmacro %}

{# The columns of stg_solar_energy, from rows of the lake's solar_energy. #}
{% macro solar_columns() %}
    charging_location_id,
    user_id,
    start_time as started_at,
    end_time as ended_at,
    energy as energy_kwh,
    start_month,
    _deleted as is_deleted,
    _synced_at as synced_at
{% endmacro %}
