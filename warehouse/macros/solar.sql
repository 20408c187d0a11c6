{# What the models of solar energy need beside their queries. #}

{#
    Drops every row of fct_solar_energy that may no longer be right: it or its location was committed since the last
    build, it was provisional, or the lake no longer holds its key.
#}
{% macro forget_stale_solar_energy() %}
    {% if is_incremental() %}
        delete from {{ this }}
        where
            is_provisional
            or (charging_location_id, started_at) in (
                select charging_location_id, start_time from {{ changed_keys('solar_energy') }}
            )
            or charging_location_id in (select id from {{ changed_keys('charging_locations') }})
            or (charging_location_id, started_at) not in (
                select charging_location_id, start_time from {{ source('lake', 'solar_energy') }}
                where charging_location_id is not null and start_time is not null
            )
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
