{# Up to when solar energy is known, like stg_sync_horizon for sessions. #}
select
    coalesce(
        (select max(watermark) from {{ source('lake', '_runs') }} where collection = 'solar_energy'),
        (select max(_synced_at) from {{ source('lake', 'solar_energy') }})
    ) as solar_known_until
