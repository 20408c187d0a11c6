{# Incremental: the histories of changed sessions go (forget_changed_histories), then every one that is missing comes. #}
{{ config(materialized='incremental', incremental_strategy='append', pre_hook='{{ forget_changed_histories() }}') }}

{%- set missing_rows -%}
(
    select changelog.*
    from {{ source('lake', 'sessions') }} as changelog
    where not exists (select 1 from {{ this }} as history where history.session_id = changelog.id)
)
{%- endset %}

with versions as (
    {{ known_versions(missing_rows if is_incremental() else source('lake', 'sessions')) }}
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
