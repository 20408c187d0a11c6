{#
    Up to when sessions are known: the highest watermark that a run has reported, else (no run record yet) the
    latest read. Taken from the lake and not from the clock, so that a build of the same lake is the same build.
#}
select
    coalesce(
        (select max(watermark) from {{ source('lake', '_runs') }} where collection = 'sessions'),
        (select max(_synced_at) from {{ source('lake', 'sessions') }})
    ) as sessions_known_until
