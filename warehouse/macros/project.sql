{# How this project uses dbt: schema names as written, and the book-keeping of incremental models. #}

{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}

{#
    Notes, in the model's own transaction, which pinned snapshot the model now stands for: the next build
    offers every key committed since then, so a build that died half-way loses nothing.
#}
{% macro record_model_built() -%}
    delete from state.models_built where model = '{{ this.schema }}.{{ this.identifier }}';
    insert into state.models_built select '{{ this.schema }}.{{ this.identifier }}', build_id from state.current_build
{%- endmacro %}

{# The keys of a lake table that were committed since the models last read it. One row each. #}
{% macro changed_keys(table) -%}
    changes.{{ table }}
{%- endmacro %}

{#
    The first step of an incremental model, in its own transaction: notes the keys of every row of it that may no longer
    be right (`stale_keys`) and drops those rows. The model then makes anew what has one of these keys or one that was
    committed since (`keys_to_make`); nothing else can differ from what a full build makes.

    keys: the columns that name a row. conditions: SQL of each reason to doubt a row, empty ones are left out.
#}
{% macro forget_stale(keys, conditions) -%}
    {% if is_incremental() %}
        create or replace table {{ stale_keys() }} as
        select {{ keys }} from {{ this }}
        where {{ conditions | map('trim') | select | join('\nor ') }};
        delete from {{ this }} where ({{ keys }}) in (select {{ keys }} from {{ stale_keys() }})
    {% endif %}
{%- endmacro %}

{% macro stale_keys() %}changes.stale_{{ this.identifier }}{% endmacro %}

{# SQL of the keys of a lake table whose rows an incremental model must make anew. keys, lake_keys: the same, as named in each. #}
{% macro keys_to_make(keys, tables, lake_keys) -%}
    select {{ keys }} from {{ stale_keys() }}
    {%- for table in tables %}
    union select {{ lake_keys }} from {{ changed_keys(table) }}
    {%- endfor %}
{%- endmacro %}

{#
    Condition: the lake no longer holds a key that an earlier build has read. Empty where no file has gone since, and so
    no row: then it need not be asked, which would compare every key with every other.
#}
{% macro is_gone(keys, table, lake_keys) -%}
    {% if files_have_gone(table) %}
        ({{ keys }}) not in (
            select {{ lake_keys }} from {{ source('lake', table) }}
            where {% for key in lake_keys.split(', ') %}{{ key }} is not null{% if not loop.last %} and {% endif %}{% endfor %}
        )
    {% endif %}
{%- endmacro %}

{# Whether files of a lake table that an earlier build has read are there no more, as after an erasure; a compaction does not count. #}
{% macro files_have_gone(table) -%}
    {% if execute %}
        {{ return(run_query("select 1 from state.rewritten_tables where table_name = '" ~ table ~ "'").rows | length > 0) }}
    {% endif %}
{%- endmacro %}
