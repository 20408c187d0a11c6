{#
    Rows that went or came back with what they hang under may have done so in another step of the run than the one that
    asked for their collection: they are counted there, and stand alone where nobody asked for it.
#}
with cascades as (
    select
        run_id,
        collection,
        sum(rows_deleted) as rows_deleted,
        sum(coalesce(rows_restored, 0)) as rows_restored
    from {{ source('lake', '_runs') }}
    where status = 'cascade'
    group by run_id, collection
),

ranked as (
    select
        runs.*,
        row_number() over (
            partition by run_id, collection
            order by case when status = 'cascade' then 1 else 0 end, started_at
        ) as place
    from {{ source('lake', '_runs') }} as runs
)

select
    ranked.run_id,
    ranked.collection,
    ranked.status,
    ranked.started_at,
    ranked.finished_at,
    ranked.window_until,
    ranked.watermark,
    ranked.rows_read,
    ranked.rows_new,
    ranked.rows_changed,
    cast(
        case when ranked.status = 'cascade' then 0 else ranked.rows_deleted end
        + case when ranked.place = 1 then coalesce(cascades.rows_deleted, 0) else 0 end
        as bigint
    ) as rows_deleted,
    cast(
        case when ranked.status = 'cascade' then 0 else coalesce(ranked.rows_restored, 0) end
        + case when ranked.place = 1 then coalesce(cascades.rows_restored, 0) else 0 end
        as bigint
    ) as rows_restored,
    ranked.rows_set_aside,
    ranked.requests,
    ranked.retries,
    ranked.throttles,
    ranked.bytes_received,
    ranked.duration_seconds,
    ranked.parents,
    ranked.parents_asked,
    ranked.parents_skipped,
    ranked.parents_failed,
    ranked.asked_because,
    ranked.skipped_because,
    ranked.message
from ranked
left join cascades on ranked.run_id = cascades.run_id and ranked.collection = cascades.collection
where ranked.status <> 'cascade' or ranked.place = 1
