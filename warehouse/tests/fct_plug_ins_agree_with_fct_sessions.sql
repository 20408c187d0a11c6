-- No session is lost or counted twice, and energy adds up, up to the last bits of a double.
{{ config(meta={'dagster': {'ref': {'name': 'fct_plug_ins'}}}) -}}
with plug_ins as (
    select sum(sessions) as sessions, coalesce({{ stable_sum('energy_kwh') }}, 0) as energy_kwh
    from {{ ref('fct_plug_ins') }}
),

facts as (
    select count(*) as sessions, coalesce({{ stable_sum('energy_kwh') }}, 0) as energy_kwh
    from {{ ref('fct_sessions') }}
)

select plug_ins.sessions as plugged_sessions, facts.sessions, plug_ins.energy_kwh as plugged_kwh, facts.energy_kwh
from plug_ins
cross join facts
where
    coalesce(plug_ins.sessions, 0) <> facts.sessions
    or abs(plug_ins.energy_kwh - facts.energy_kwh) > 1e-9 * (1 + abs(facts.energy_kwh))
