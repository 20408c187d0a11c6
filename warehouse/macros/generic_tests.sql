{# A generic test: no two rows share all of the columns. Nulls count as equal. #}
{% test unique_combination(model, columns) %}
    select {{ columns | join(', ') }}, count(*) as rows_with_it
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}

{# A generic test: the condition holds (or is null) in every row. #}
{% test holds(model, condition) %}
    select * from {{ model }} where not ({{ condition }})
{% endtest %}
