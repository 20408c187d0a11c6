{# Incremental: the histories of changed sessions go (forget_changed_histories) and are made anew. #}
{{ config(materialized='incremental', incremental_strategy='append', pre_hook='{{ forget_changed_histories() }}') }}

{%- set changed_rows -%}
(
    select changelog.*
    from {{ source('lake', 'sessions') }} as changelog
    where changelog.id in (select id from {{ changed_keys('sessions') }})
)
{%- endset %}

with versions as (
    {{ known_versions(changed_rows if is_incremental() else source('lake', 'sessions')) }}
)

select
    id as session_id,
    user_id,
    vehicle_id,
    charger_id,
    charging_location_id,
    status,
    is_managed,
    start_time as started_at,
    end_time as ended_at,
    charged_energy as energy_kwh,
    charge_costs,
    savings,
    currency,
    known_from,
    known_until
from versions
where not _deleted
