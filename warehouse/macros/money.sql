{# What fct_financials needs beside its query. #}

{#
    Why a row of fct_financials may no longer be right: its money, its reward, its session or its location was committed
    since the last build, it was provisional, or what it was made of is no longer held.
#}
{% macro forget_stale_financials() %}
    {% if is_incremental() %}
        {%- set keys = 'user_id, session_id' %}
        {{ forget_stale(keys, [
            'is_provisional',
            '(' ~ keys ~ ') in (select ' ~ keys ~ ' from ' ~ changed_keys('financials') ~ ')',
            '(' ~ keys ~ ') in (select ' ~ keys ~ ' from ' ~ changed_keys('rewards') ~ ')',
            'session_id in (select id from ' ~ changed_keys('sessions') ~ ')',
            'charging_location_id in (select id from ' ~ changed_keys('charging_locations') ~ ')',
            is_gone('session_id', 'sessions', 'id'),
            is_gone(keys, 'financials', keys),
            is_gone(keys, 'rewards', keys)
        ]) }}
    {% endif %}
{% endmacro %}

{# The rows of a lake table that fct_financials makes anew; `to_make` is a part of its query. #}
{% macro rows_to_make_of(table) %}
(
    select changelog.*
    from {{ source('lake', table) }} as changelog
    where (user_id, session_id) in (select to_make.user_id, to_make.session_id from to_make)
)
{% endmacro %}

{# The columns of stg_financials, from rows of the lake's financials. #}
{% macro financials_columns() %}
    user_id,
    session_id,
    vehicle_id,
    charging_location_id,
    start_time as started_at,
    end_time as ended_at,
    charged_energy as energy_kwh,
    charge_costs,
    savings,
    currency,
    _deleted as is_deleted,
    _synced_at as synced_at
{% endmacro %}

{# The columns of stg_rewards, from rows of the lake's rewards. #}
{% macro rewards_columns() %}
    user_id,
    session_id,
    start_time as started_at,
    amount,
    currency,
    is_paid_out,
    _deleted as is_deleted,
    _synced_at as synced_at
{% endmacro %}
