{#
    The current row of every key of a changelog: its latest by _synced_at, tombstones included.

    relation: a lake table. key: SQL expression of its key. only: SQL of one column of keys; other keys are left
    out before versions are ranked, which is what makes an incremental model cheap.
#}
{% macro current_rows(relation, key='id', only=none) %}
    select *
    from (
        select
            changelog.*,
            row_number() over (partition by {{ key }} order by _synced_at desc, _row_hash desc) as version_rank
        from {{ relation }} as changelog
        {% if only %}where {{ key }} in ({{ only }}){% endif %}
    ) as ranked
    where version_rank = 1
{% endmacro %}

{# The same for the tables of operations, which carry no hash. #}
{% macro latest_rows(relation, key='id') %}
    select *
    from (
        select changelog.*, row_number() over (partition by {{ key }} order by _synced_at desc, _run_id desc) as version_rank
        from {{ relation }} as changelog
    ) as ranked
    where version_rank = 1
{% endmacro %}
