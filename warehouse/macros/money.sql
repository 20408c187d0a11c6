{# What fct_financials needs beside its query. #}

{#
    Drops every row of fct_financials that may no longer be right: its money, its reward, its session or its location
    was committed since the last build, it was provisional, or what it was made of is no longer held. A row whose
    session or whose financials are not there is made anew each time: there are few.
#}
{% macro forget_stale_financials() %}
    {% if is_incremental() %}
        delete from {{ this }}
        where
            is_provisional
            or (user_id, session_id) in (select user_id, session_id from {{ changed_keys('financials') }})
            or (user_id, session_id) in (select user_id, session_id from {{ changed_keys('rewards') }})
            or session_id in (select id from {{ changed_keys('sessions') }})
            or charging_location_id in (select id from {{ changed_keys('charging_locations') }})
            or session_id not in (select session_id from {{ ref('fct_sessions') }})
            or (user_id, session_id) not in (
                select user_id, session_id from {{ source('lake', 'financials') }}
                where user_id is not null and session_id is not null
            )
            or (
                (reward_amount is not null or reward_currency is not null or is_reward_paid_out is not null)
                and (user_id, session_id) not in (
                    select user_id, session_id from {{ source('lake', 'rewards') }}
                    where user_id is not null and session_id is not null
                )
            )
    {% endif %}
{% endmacro %}

{# The rows of a lake table whose keys fct_financials lacks; `missing` is a part of its query. #}
{% macro missing_rows_of(table) %}
(
    select changelog.*
    from {{ source('lake', table) }} as changelog
    where (user_id, session_id) in (select missing.user_id, missing.session_id from missing)
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
