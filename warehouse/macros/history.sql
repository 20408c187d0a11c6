{# What the models sessions_history, users_history and tariffs_history share. #}

{#
    Every version of every key of a changelog, with the time over which it was what was known. A tombstone ends the
    version before it. The caller selects its columns with known_from and known_until, where not _deleted.

    relation, key: as of current_rows.
#}
{% macro known_versions(relation, key='id') %}
    select
        changelog.*,
        _synced_at as known_from,
        lead(_synced_at) over (partition by {{ key }} order by _synced_at, _row_hash) as known_until
    from {{ relation }} as changelog
{% endmacro %}

{# The history of a session may have changed where it was committed since the last build, or is no longer held. #}
{% macro forget_changed_histories() %}
    {% if is_incremental() %}
        {{ forget_stale('session_id', [
            'session_id in (select id from ' ~ changed_keys('sessions') ~ ')',
            is_gone('session_id', 'sessions', 'id')
        ]) }}
    {% endif %}
{% endmacro %}
