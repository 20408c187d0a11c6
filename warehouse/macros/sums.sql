{#
    Numbers that can be added up. A billion or more (of kWh, of money, of a price) is a mistake of whoever told it: it stays
    in its own row, counts as unknown in every sum and average, and a test warns. So no sum overflows, and one absurd row
    does not stop a night.
#}
{% macro plausible(value) %}try_cast({{ value }} as decimal(18, 9)){% endmacro %}

{#
    Sum of a double that does not depend on the order in which threads meet the rows: two builds of the same rows must be
    equal to the last bit. Summed exactly, as decimals of nine places.
#}
{% macro stable_sum(value) %}cast(sum({{ plausible(value) }}) as double){% endmacro %}

{# Sum of exact amounts of one currency. #}
{% macro sum_of_money(value) %}cast(sum({{ plausible(value) }}) as decimal(38, 9)){% endmacro %}

{# For tests: none of the columns holds what is left out of sums. #}
{% macro are_plausible(columns) -%}
    {% for column in columns %}abs({{ column }}) < 1000000000{% if not loop.last %} and {% endif %}{% endfor %}
{%- endmacro %}
