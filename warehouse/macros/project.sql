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
