with versions as (
    {{ known_versions(source('lake', 'users')) }}
)

select
    id as user_id,
    locale,
    {{ reference_only('external_data') }} as external_reference,
    default_country,
    agreement_ids,
    created_at,
    updated_at,
    known_from,
    known_until
from versions
where not _deleted
