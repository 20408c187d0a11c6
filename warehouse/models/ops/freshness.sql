{#
    A table that was never asked has a row too: what is missing must be seen. A run that only deleted or restored rows of
    a table with what they hang under has not asked for it.
#}
with held as (
    {%- for table in lake_tables() %}
    select '{{ table }}' as collection, count(*) as versions_held, max(_synced_at) as last_changed_at
    from {{ source('lake', table) }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor %}
),

ranked as (
    select
        runs.*,
        row_number() over (partition by collection order by finished_at desc, run_id desc) as run_rank
    from {{ source('lake', '_runs') }} as runs
    where status <> 'cascade'
),

reached as (
    select
        collection,
        max(watermark) as complete_until,
        max(case when status = 'complete' then finished_at end) as last_complete_at
    from {{ source('lake', '_runs') }}
    where status <> 'cascade'
    group by collection
)

select
    held.collection,
    reached.complete_until,
    last_run.run_id as last_run_id,
    last_run.status as last_status,
    last_run.finished_at as last_finished_at,
    reached.last_complete_at,
    last_run.rows_read,
    last_run.rows_new,
    last_run.rows_changed,
    last_run.rows_deleted,
    last_run.rows_restored,
    last_run.rows_set_aside,
    last_run.parents_failed,
    held.versions_held,
    held.last_changed_at
from held
left join reached on held.collection = reached.collection
left join ranked as last_run on held.collection = last_run.collection and last_run.run_rank = 1
