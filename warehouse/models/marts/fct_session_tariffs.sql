{# Incremental by session: the prices of every session that had one committed since the last build are made anew. #}
{{ config(materialized='incremental', incremental_strategy='append', pre_hook='{{ forget_stale_session_tariffs() }}') }}

{%- set changed_rows -%}
(
    select changelog.*
    from {{ source('lake', 'session_tariffs') }} as changelog
    where changelog.session_id in (select session_id from {{ changed_keys('session_tariffs') }})
)
{%- endset %}

with tariffs as (
    {% if is_incremental() %}
        select {{ session_tariff_columns() }}
        from ({{ current_rows(changed_rows, key='session_id, start_time, tariff_type') }}) as current_tariffs
    {% else %}
        select * from {{ ref('stg_session_tariffs') }}
    {% endif %}
)

select
    session_id,
    started_at,
    ended_at,
    tariff_type,
    price_per_kwh,
    currency,
    {{ minutes_between('started_at', 'ended_at') }} as minutes,
    synced_at
from tariffs
where not is_deleted
